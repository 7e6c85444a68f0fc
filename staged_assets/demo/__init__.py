"""The embedded operational systems that the default configuration reads: an ERP, a CRM and a web shop, with known dirt."""
