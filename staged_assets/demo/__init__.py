"""The operational systems that the default configuration reads: ERP, CRM and web shop, with known dirt."""
