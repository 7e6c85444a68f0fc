"""The staged area of a retailer's data: fourteen datasets between the operational systems and the warehouse."""
