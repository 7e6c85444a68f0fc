"""When each source system is asked, and how a refresh is started: policy, sensors, schedules, freshness, launcher."""
