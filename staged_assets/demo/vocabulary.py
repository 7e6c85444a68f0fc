"""Words the demo's records are made of.

Cities and countries are real; people, companies and brands are invented; e-mail domains are those that RFC 2606
reserves for examples; `#` in a telephone number stands for a digit.
"""

from typing import NamedTuple


class Country(NamedTuple):
    """A country: its standard English name, a possible telephone number and a street as one writes it there."""

    name: str
    phone: str
    street: str
    cities: tuple[str, ...]


def _country(name: str, phone: str, street: str, cities: str) -> Country:
    return Country(name, phone, street, tuple(cities.split(",")))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES = (
    _country("Germany", "+49 30 23125###", "Lindenstraße {}", "Berlin,Hamburg,München,Köln,Leipzig"),
    _country("United States", "+1 212-555-01##", "{} Maple Avenue", "New York,Chicago,Boston,Seattle,Austin"),
    _country("United Kingdom", "+44 20 7946 0###", "{} Station Road", "London,Manchester,Leeds,Bristol,Glasgow"),
    _country("France", "+33 1 99 00 ## ##", "{} rue de l'Église", "Paris,Lyon,Nantes,Lille"),
    _country("Spain", "+34 910 55# ###", "Calle Mayor {}", "Madrid,Sevilla,Valencia,Bilbao"),
    _country("Italy", "+39 06 5550 ####", "Via Roma {}", "Rome,Milan,Turin,Bologna"),
    _country("Netherlands", "+31 20 555 ####", "Kerkstraat {}", "Amsterdam,Utrecht,Rotterdam"),
    _country("Belgium", "+32 2 555 ## ##", "Stationsstraat {}", "Brussels,Gent,Antwerpen"),
    _country("Austria", "+43 1 555####", "Hauptstraße {}", "Vienna,Graz,Linz"),
    _country("Switzerland", "+41 44 555 ## ##", "Bahnhofstrasse {}", "Zürich,Bern,Genève"),
    _country("Sweden", "+46 8 555 ### ##", "Storgatan {}", "Stockholm,Göteborg,Malmö"),
    _country("Norway", "+47 22 55 ## ##", "Kirkeveien {}", "Oslo,Bergen"),
    _country("Denmark", "+45 33 55 ## ##", "Østergade {}", "Copenhagen,Aarhus"),
    _country("Finland", "+358 9 555 ####", "Mäkelänkatu {}", "Helsinki,Tampere"),
    _country("Ireland", "+353 1 555 ####", "{} O'Connell Street", "Dublin,Cork"),
    _country("Portugal", "+351 21 055 ####", "Rua da Conceição {}", "Lisbon,Porto"),
    _country("Poland", "+48 22 555 ## ##", "ul. Długa {}", "Warsaw,Kraków,Gdańsk"),
    _country("Canada", "+1 416-555-01##", "{} King Street West", "Toronto,Montréal,Vancouver"),
    _country("Australia", "+61 2 5550 ####", "{} George Street", "Sydney,Melbourne,Perth"),
    _country("Japan", "+81 3-5550-####", "{} Sakura-dori", "Tokyo,Osaka,Nagoya"),
    _country("India", "+91 11 5550 ####", "{} Gandhi Road", "New Delhi,Mumbai,Pune"),
    _country("Brazil", "+55 11 5555-####", "Rua das Flores {}", "São Paulo,Recife,Curitiba"),
    _country("Mexico", "+52 55 5550 ####", "Avenida Juárez {}", "Mexico City,Puebla"),
    _country("South Africa", "+27 21 555 ####", "{} Long Street", "Cape Town,Durban"),
)
PLACES = tuple((city, country) for country in COUNTRIES for city in country.cities)

GIVEN_NAMES = _words(
    "Anna Ben Chloé Daniel Elif Felix Grace Hugo Ines Jakub Karin Liam Mia Noah Olga Paul Quinn Rosa Søren Teresa"
    " Umar Vera Wiktor Ximena Yara Zoë Amélie Björn Clara Dmitri Emma François Giulia Hannah Ivan José Keiko Lena"
    " Marco Nadia Oscar Priya Rafael Sofia Tomás Ulrike Viktor Wanda Yusuf Zara"
)
FAMILY_NAMES = _words(
    "Adams Becker Costa Dubois Eriksson Fischer García Hansen Ivanov Jansen Kowalski Lopez Müller Novak O'Brien"
    " Patel Quist Rossi Schmidt Tanaka Ueda Vogel Weber Xu Şahin Zimmermann Andersson Brown Carvalho Díaz Evans"
    " Fernández Gruber Hughes Ito Johnson Kaya Lindqvist Moreau Nielsen Ortiz Popescu Ramos Silva Taylor Virtanen"
    " Williams Łukasik Nguyen Smith"
)
MAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")

#: category → nouns
PRODUCTS: dict[str, tuple[str, ...]] = {
    "Kitchen": ("Saucepan", "Kettle", "Bread knife", "Salad bowl", "Coffee grinder"),
    "Home & Garden": ("Watering can", "Garden chair", "Wool blanket", "Bird house", "Plant pot"),
    "Sports": ("Yoga mat", "Running belt", "Tennis racket", "Water bottle", "Skipping rope"),
    "Toys": ("Wooden train", "Puzzle", "Kite", "Building blocks", "Teddy bear"),
    "Electronics": ("Desk lamp", "Headphones", "Power bank", "Keyboard", "Clock radio"),
    "Clothing": ("Rain jacket", "Wool scarf", "Linen shirt", "Hiking socks", "Leather belt"),
    "Books": ("Cookbook", "City guide", "Sketchbook", "Atlas", "Diary"),
    "Beauty": ("Hand cream", "Shaving brush", "Soap bar", "Bath salt", "Hairbrush"),
}
CATEGORIES = tuple(PRODUCTS)
ADJECTIVES = (
    "classic",
    "compact",
    "foldable",
    "recycled",
    "handmade",
    "lightweight",
    "large",
    "small",
    "deluxe",
)
BRANDS = (
    "Norrvik",
    "Bellamonte",
    "Ostwind",
    "Quillfeather",
    "Pinehollow",
    "Maréa",
    "Takumi Works",
    "Fernleaf",
)
COMPANY_WORDS = (
    "Trading",
    "Wholesale",
    "Imports",
    "Manufacturing",
    "Logistics",
    "Foods",
    "Textiles",
    "Supplies",
)
COMPANY_FORMS = ("GmbH", "Ltd", "Inc.", "S.A.", "B.V.", "AB")

SHOP_FORMATS = ("Flagship", "High street", "Outlet", "Mall", "Pop-up")
PAYMENT_METHODS = ("card", "card", "card", "wallet", "transfer", "cash", "voucher", "cash_on_delivery")
ORDER_STATUSES = ("placed", "confirmed", "shipped", "delivered", "cancelled", "returned")
DELIVERY_STATUSES = ("pending", "in transit", "delivered", "delayed")
RESOLUTION_STATUSES = ("open", "pending", "resolved", "escalated", "closed")
ACTIVITY_TYPES = ("earn", "earn", "earn", "redeem", "bonus", "adjust", "expire")
CRM_MEDIUMS = ("phone", "email", "store", "post", "social")
SHOP_MEDIUMS = ("chat", "web", "app", "email")
COMMENTS = (
    "Asked for a copy of the invoice.",
    "Parcel arrived damaged; replacement sent.",
    "Wants to change the delivery address, called twice.",
    "Très satisfaite du service ☺",
    'Says the size runs "small".',
    "Frage zur Rückgabe: Paket noch nicht zurück.",
    "Gift card balance enquiry",
    "Line one\nLine two\tafter a tab",
)
TERMS = (
    "One use per customer.",
    "Not to be combined with other offers.",
    "Minimum basket of 50.",
    "While stocks last; excludes books.",
)
SEGMENTS = (
    ("Frequent buyers", "Bought at least five times in the last quarter"),
    ("Cart abandoners", "Left a full basket behind"),
    ("Women 25-34", "Age and gender band"),
    ("Young families", "Households with children under six"),
    ("City dwellers", "Lives in a city above half a million"),
    ("High spenders", "Top tenth by yearly revenue"),
    ("New customers", "First purchase within 30 days"),
    ("Lapsed customers", "No purchase for a year"),
)
MEDIA = (
    ("Google Ads search", "Paid search campaigns"),
    ("Organic search", "Visits from search engines"),
    ("Display banners", "Banner network"),
    ("YouTube video", "Pre-roll video"),
    ("Facebook Ads", "Paid social campaigns"),
    ("Email newsletter", "Weekly newsletter"),
    ("Affiliate partners", "Affiliate network"),
    ("Print catalogue", "Posted twice a year"),
    ("Radio spots", "Regional radio"),
    ("Billboards", "Out of home posters"),
)
TOUCHPOINTS = (
    ("Television advert", "First awareness of the brand"),
    ("Product page", "Compares products on the web"),
    ("Checkout", "Purchase in the web shop"),
    ("Store visit", "Purchase in a shop"),
    ("Parcel tracking", "Delivery notice"),
    ("Service hotline", "Support by phone"),
    ("Loyalty newsletter", "Retention mailing"),
    ("Product review", "Recommends to others"),
)
REGIONS = ("North", "South", "East", "West", "Central")
