"""When each source system is asked, and what a refresh is requested for: policy, sensors, schedules, freshness."""
