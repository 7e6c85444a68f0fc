"""The webhook receiver: signed deliveries over HTTP, written durably before they are answered."""
