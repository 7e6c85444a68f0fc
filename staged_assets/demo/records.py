"""Clean records, one function for each feed: the raw area's columns, and fields that no mapping names → values.

`version` counts the states of one entity: what a business changes (a price, a status, an address) follows it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any
from unicodedata import normalize

from staged_assets.demo import vocabulary as words
from staged_assets.demo.dice import Dice
from staged_assets.demo.world import DAY, NOTATIONS, World

Record = dict[str, Any]
Maker = Callable[[World, int, int, int, Dice], Record]

ERP, CRM, SHOP = NOTATIONS["erp"], NOTATIONS["crm"], NOTATIONS["ecommerce"]
WAREHOUSES = ("Rotterdam", "Leipzig", "Lyon")


def price_of(item: int) -> int:
    """List price of an item in cents, so that sales and orders agree with the ERP."""
    return 199 + item * 7919 % 19_800


def given_name(consumer: int) -> str:
    """First name of a consumer, the same in every system."""
    return words.GIVEN_NAMES[consumer * 7 % len(words.GIVEN_NAMES)]


def family_name(consumer: int) -> str:
    """Last name of a consumer, the same in every system."""
    return _family_name(consumer // len(words.GIVEN_NAMES) * 11)


def _family_name(number: int) -> str:
    return words.FAMILY_NAMES[number % len(words.FAMILY_NAMES)]


def email_of(consumer: int) -> str:
    """E-mail address of a consumer, the same in every system."""
    given, family = _plain(given_name(consumer)), _plain(family_name(consumer))
    return f"{given}.{family}.{consumer}@{words.MAIL_DOMAINS[consumer % len(words.MAIL_DOMAINS)]}"


@cache
def _plain(name: str) -> str:
    """In lower-case ASCII letters."""
    letters = normalize("NFKD", name.lower().replace("ø", "o").replace("ł", "l"))
    return "".join(letter for letter in letters if "a" <= letter <= "z")


def gtin_of(item: int) -> str:
    """A valid GTIN-13 of the range for use inside a company (GS1 General Specifications, prefix 20)."""
    body = f"20{item:010d}"[:12]
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"


def _place(dice: Dice) -> tuple[str, words.Country]:
    return dice.pick(words.PLACES)


def _company(dice: Dice) -> str:
    return f"{dice.pick(words.FAMILY_NAMES)} {dice.pick(words.COMPANY_WORDS)} {dice.pick(words.COMPANY_FORMS)}"


def _street(country: words.Country, dice: Dice) -> str:
    return country.street.format(1 + dice.below(180))


def _birth_year(consumer: int) -> int:
    return 1945 + consumer * 13 % 60


def items(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """ERP `product`."""
    category = dice.pick(words.CATEGORIES)
    noun = dice.pick(words.PRODUCTS[category])
    stock = dice.below(400)
    return {
        "item_id": str(number),
        "item_name": f"{noun}, {dice.pick(words.ADJECTIVES)}",
        "item_price": ERP.money(price_of(number) + 50 * version),
        "category": category,
        "stock_quantity": str(0 if stock < 20 else stock),
        "supplier": _company(dice),
        "weight": f"{(50 + dice.below(9000)) / 1000:.3f}".replace(".", ","),
        "brand": dice.pick(words.BRANDS),
        "country": dice.pick(words.COUNTRIES).name,
        "gtin": gtin_of(number) if dice.below(4) else None,
        "tax_code": dice.pick(("A1", "A2", "B7")),
    }


def inventory(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """ERP `stock_level`: each item in each warehouse."""
    item, warehouse = divmod(number - 1, len(WAREHOUSES))
    reorder = 10 + dice.below(40)
    level = dice.below(300)
    return {
        "inventory_id": str(number),
        "item_id": str(item + 1) if dice.below(250) else "9000000001",
        "quantity_on_hand": str(max(0, level - 25 * version)),
        "reorder_level": str(reorder),
        "warehouse_location": WAREHOUSES[warehouse],
        "last_updated": ERP.date(moment // DAY),
    }


def locations(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """ERP `site`, without a change cursor."""
    city, country = words.PLACES[(number - 1) % len(words.PLACES)]
    return {
        "location_id": str(number),
        "city": city if version == 0 else f"{city} {dice.pick(words.REGIONS)}",
        "country": country.name,
    }


def _supplier(number: int, version: int, dice: Dice) -> Record:
    city, country = _place(dice)
    contact = dice.below(len(words.FAMILY_NAMES)) + version
    return {
        "supplier_id": str(number),
        "supplier_name": _company(dice),
        "contact_name": f"{dice.pick(words.GIVEN_NAMES)} {_family_name(contact)}",
        "contact_email": f"sales{number}@{dice.pick(words.MAIL_DOMAINS)}",
        "contact_phone": dice.digits(country.phone),
        "address": f"{_street(country, dice)}, {city}",
        "country": country.name,
    }


def vendors(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """ERP `vendor`."""
    return _supplier(number, version, dice) | {"payment_days": str(dice.pick((14, 30, 60)))}


def sellers(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """E-commerce `sellers`: of the vendors that sell there too, some facts differ."""
    return _supplier(number, version, dice) | {"supplier_id": number, "rating": dice.below(50) / 10}


def _shop(number: int, version: int, dice: Dice) -> Record:
    city, country = _place(dice)
    owner = dice.below(len(words.FAMILY_NAMES)) + version
    return {
        "shop_id": str(number),
        "shop_name": f"{city} {dice.pick(words.REGIONS)}",
        "shop_location": city,
        "shop_type": dice.pick(words.SHOP_FORMATS),
        "established_year": str(1880 + dice.below(140)),
        "owner": f"{dice.pick(words.GIVEN_NAMES)} {_family_name(owner)}",
        "contact_email": f"shop{number}@{dice.pick(words.MAIL_DOMAINS)}",
        "country": country.name,
    }


def branches(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """ERP `branch`."""
    return _shop(number, version, dice) | {"floor_space": str(40 + dice.below(900))}


def storefronts(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """E-commerce `storefronts`; the mapping says that their type is online."""
    record = _shop(number, version, dice)
    del record["shop_type"]
    return record | {"shop_id": number, "established_year": 2005 + dice.below(20)}


def segments(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """CRM `segments`."""
    name, description = words.SEGMENTS[(number - 1) % len(words.SEGMENTS)]
    return {
        "audience_segment_id": number,
        "segment_name": f"{name} {words.REGIONS[(number - 1) // len(words.SEGMENTS) % 5]}",
        "description": f"{description}, state {version + 1}",
    }


def contacts(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """CRM `contacts`."""
    city, country = _place(dice)
    return {
        "consumer_id": number,
        "consumer_name": f"{given_name(number)} {family_name(number)}",
        "consumer_email": email_of(number),
        "consumer_city": city,
        "phone_number": dice.digits(country.phone),
        "date_of_birth": f"{1 + dice.below(12):02d}/{1 + dice.below(28):02d}/{_birth_year(number)}",
        "address": f"{_street(country, dice)}, {city}",
        "loyalty_points": dice.below(5000) + 25 * version,
        "country": country.name,
        "opt_in": bool(dice.below(2)),
    }


def accounts(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """E-commerce `accounts`: who is a CRM contact too has the same e-mail address, the rest may differ."""
    city, country = _place(dice)
    return {
        "consumer_id": number,
        "given_name": given_name(number),
        "family_name": family_name(number),
        "consumer_email": email_of(number),
        "consumer_city": city,
        "phone_number": dice.digits(country.phone),
        "date_of_birth": f"{_birth_year(number)}-{1 + dice.below(12):02d}-{1 + dice.below(28):02d}",
        "address": f"{_street(country, dice)}, {city}" + (f" (new {version})" if version else ""),
        "country": country.name,
        "newsletter": bool(dice.below(2)),
    }


def _interaction(world: World, number: int, version: int, mediums: tuple[str, ...], dice: Dice) -> Record:
    status = dice.below(len(words.RESOLUTION_STATUSES)) + version
    return {
        "interaction_id": number,
        "consumer_id": world.reference("consumers", dice),
        "touchpoint_id": world.reference("touchpoints", dice),
        "interaction_type": dice.pick(mediums),
        "resolution_status": words.RESOLUTION_STATUSES[status % len(words.RESOLUTION_STATUSES)],
        "comments": dice.pick(words.COMMENTS) if dice.below(3) else None,
    }


def cases(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """CRM `cases`."""
    record = _interaction(world, number, version, words.CRM_MEDIUMS, dice)
    return record | {"interaction_date": CRM.moment(moment)}


def messages(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """E-commerce `messages`."""
    record = _interaction(world, number, version, words.SHOP_MEDIUMS, dice)
    return record | {"interaction_date": SHOP.moment(moment)}


def loyalty(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """CRM `loyalty_ledger`."""
    kind = dice.pick(words.ACTIVITY_TYPES)
    points = 5 * (1 + dice.below(80))
    gains = kind in ("earn", "bonus", "adjust")
    return {
        "loyalty_activity_id": number,
        "consumer_id": world.reference("consumers", dice),
        "activity_date": CRM.date(moment // DAY),
        "activity_type": kind,
        "points_earned": points if gains else 0,
        "points_redeemed": 0 if gains else points,
        "balance_points": dice.below(4000) + points + version,
    }


def media(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """CRM `media`."""
    name, description = words.MEDIA[(number - 1) % len(words.MEDIA)]
    return {
        "media_channel_id": number,
        "media_channel_name": f"{name} {words.REGIONS[(number - 1) // len(words.MEDIA) % 5]}",
        "description": f"{description}, state {version + 1}",
    }


def touchpoints(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """CRM `touchpoints`."""
    name, description = words.TOUCHPOINTS[(number - 1) % len(words.TOUCHPOINTS)]
    return {
        "touchpoint_id": number,
        "touchpoint_name": f"{name} {words.REGIONS[(number - 1) // len(words.TOUCHPOINTS) % 5]}",
        "description": f"{description}, state {version + 1}",
    }


def offers(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """E-commerce `offers`."""
    percent = 5 * (1 + dice.below(10))
    first = moment // DAY
    return {
        "offer_id": number,
        "offer_name": f"{percent} % off {dice.pick(words.CATEGORIES)}",
        "discount": f"{percent}%",
        "valid_from": SHOP.date(first),
        "valid_to": SHOP.date(first + 14 + dice.below(200)),
        "terms": dice.pick(words.TERMS),
        "offer_code": f"SAVE{percent}-{number}",
        "max_usage": 100 + dice.below(2000) + 10 * version,
        "country": dice.pick(words.COUNTRIES).name,
    }


def orders(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """E-commerce `orders`."""
    item = world.reference("items", dice)
    day = moment // DAY
    status = dice.below(len(words.ORDER_STATUSES)) + version
    return {
        "order_id": number,
        "item_id": item,
        "supplier_id": world.reference("suppliers", dice) if dice.below(20) else None,
        "order_date": SHOP.date(day),
        "quantity_ordered": 1 + dice.below(12),
        "order_status": words.ORDER_STATUSES[status % len(words.ORDER_STATUSES)],
        "expected_delivery_date": SHOP.date(day + 2 + dice.below(12)),
        "consumer_id": world.reference("consumers", dice),
        "unit_price": SHOP.money(price_of(item)),
    }


def sales(world: World, number: int, version: int, moment: int, dice: Dice) -> Record:
    """E-commerce `sales`; one in 25 is a return: its quantity and total are negative."""
    item = world.reference("items", dice)
    quantity = (1 + dice.below(4)) * (1 if dice.below(25) else -1)
    day = moment // DAY
    status = dice.below(4) + version
    return {
        "sale_id": number,
        "sale_date": SHOP.moment(moment),
        "shop_id": world.reference("shops", dice),
        "consumer_id": world.reference("consumers", dice) if dice.below(12) else None,
        "item_id": item,
        "offer_id": world.reference("offers", dice) if dice.below(3) == 0 else None,
        "quantity": quantity,
        "total_price": SHOP.money(price_of(item) * quantity),
        "payment_method": dice.pick(words.PAYMENT_METHODS),
        "order_status": words.ORDER_STATUSES[status % 4],
        "delivery_date": SHOP.date(day + 1 + dice.below(8)) if status % 4 == 3 else None,
        "delivery_status": words.DELIVERY_STATUSES[status % 4],
        "country": dice.pick(words.COUNTRIES).name,
        "device": dice.pick(("phone", "desktop", "tablet")),
    }


#: (system, source table, endpoint or stream) → its records
MAKERS: dict[tuple[str, str], Maker] = {
    ("erp", "product"): items,
    ("erp", "stock_level"): inventory,
    ("erp", "site"): locations,
    ("erp", "vendor"): vendors,
    ("erp", "branch"): branches,
    ("crm", "segments"): segments,
    ("crm", "contacts"): contacts,
    ("crm", "cases"): cases,
    ("crm", "loyalty_ledger"): loyalty,
    ("crm", "media"): media,
    ("crm", "touchpoints"): touchpoints,
    ("ecommerce", "offers"): offers,
    ("ecommerce", "orders"): orders,
    ("ecommerce", "sales"): sales,
    ("ecommerce", "accounts"): accounts,
    ("ecommerce", "messages"): messages,
    ("ecommerce", "storefronts"): storefronts,
    ("ecommerce", "sellers"): sellers,
}
