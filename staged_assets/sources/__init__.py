"""What the operational systems are: `sources.yaml`, its types, one module per connector."""
