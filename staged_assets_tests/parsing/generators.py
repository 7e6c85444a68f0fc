"""Seeded inputs for the oracles: what libraries call right, written in many ways, and spoilt."""

import random
import unicodedata
from collections.abc import Callable, Iterator

import phonenumbers
import pycountry
from phonenumbers import PhoneNumberFormat as Format
from phonenumbers import PhoneNumberType as Type

SEED = 20240102

DIGITS = "0123456789"
FULL_WIDTH = {ord(digit): 0xFF10 + int(digit) for digit in DIGITS}


def phones(count: int = 8000) -> Iterator[tuple[str, str | None]]:
    """(text, region): numbers of all regions, some too short or too long, as people write them."""
    random_ = random.Random(SEED)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    for _ in range(count):
        region = random_.choice(regions)
        text, region = _phone_form(random_, _phone(random_, region), region, regions)
        yield _spoilt_phone(random_, text), random_.choice([None, "XX"]) if random_.random() < 0.03 else region


def _phone(random_: random.Random, region: str) -> phonenumbers.PhoneNumber:
    kind = random_.choice([Type.FIXED_LINE, Type.MOBILE, Type.TOLL_FREE, Type.UAN])
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    national = phonenumbers.national_significant_number(example)
    changed = min(4, len(national) - 2)
    national = national[: len(national) - changed] + "".join(random_.choices(DIGITS, k=changed))
    if random_.random() < 0.06:
        national = national[: -random_.randint(1, 4)] or national
    elif random_.random() < 0.06:
        national += "".join(random_.choices(DIGITS, k=random_.randint(1, 4)))
    zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.PhoneNumber(
        country_code=example.country_code,
        national_number=int(national),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros or None,
    )


def _phone_form(
    random_: random.Random, number: phonenumbers.PhoneNumber, region: str, regions: list[str]
) -> tuple[str, str]:
    national = phonenumbers.national_significant_number(number)
    code = number.country_code
    other = random_.choice(regions)
    forms: list[Callable[[], tuple[str, str]]] = [
        lambda: (phonenumbers.format_number(number, Format.E164), other),
        lambda: (phonenumbers.format_number(number, Format.INTERNATIONAL), other),
        lambda: (phonenumbers.format_number(number, Format.RFC3966), other),
        lambda: (phonenumbers.format_number(number, Format.NATIONAL), region),
        lambda: (phonenumbers.format_number(number, Format.NATIONAL), region),
        lambda: (phonenumbers.normalize_digits_only(phonenumbers.format_number(number, Format.NATIONAL)), region),
        lambda: (phonenumbers.format_out_of_country_calling_number(number, other), other),
        lambda: (f"00{code}{national}", region),
        lambda: (f"+{code} (0){national}", other),
        lambda: (f"{code}{national}", region),
        lambda: (national, region),
    ]
    return random_.choice(forms)()


def _spoilt_phone(random_: random.Random, text: str) -> str:
    place = random_.randint(0, len(text))
    spoilings: list[Callable[[], str]] = [
        lambda: f" {text}\t",
        lambda: (
            text
            + random_.choice([" ext. 12", " x34", "#5", " ext 7", ";ext=3", " extension 44", ", 55", " int 3", ",,8"])
        ),
        lambda: text.translate(FULL_WIDTH),
        lambda: text.replace(" ", random_.choice([".", "-", "/", "\u00a0", "  ", ""])),
        lambda: f"Tel: {text}",
        lambda: text[:place] + random_.choice("abcxyz*#+") + text[place:],
        lambda: f"{text} / {text}",
        lambda: f"({text})",
        lambda: f"{text} (home)",
        lambda: text.replace("0", "O", 1),
    ]
    return random_.choice(spoilings)() if random_.random() < 0.4 else text


LOCAL_PARTS = (
    "bob anna.smith j.doe john_doe mary-ann o'neil x info SALES Support 123456 a.b.c first.last+tag user% jörg élodie"
    " пётр 用户 ann!e {x} bob.smith.junior very.long.name.of.a.person.with.many.parts"
)
DOMAINS = (
    "gmail.com Example.com mail.co.uk x.io sub.domain.org GMX.de qq.com yahoo.co.jp 1and1.com a-b.net bücher.de"
    " école.fr почта.рф 例子.中国 mail.museum hotmail.it t-online.de x.y.z.info localhost server.local foo.test"
    " under_score.com -bad.com bad-.com ab--cd.com 1.2.3.4 com"
)


def emails(count: int = 6000) -> Iterator[str]:
    """Addresses of many kinds, a third of them spoilt."""
    random_ = random.Random(SEED)
    for _ in range(count):
        local = random_.choice(LOCAL_PARTS.split())
        if random_.random() < 0.5:
            local += str(random_.randint(0, 9999))
        domain = random_.choice(DOMAINS.split())
        if random_.random() < 0.1:
            domain = "".join(random_.choices("abcdefghij-0123", k=random_.randint(1, 70))) + "." + domain
        address = f"{local}@{domain}"
        if random_.random() < 0.15:
            address = random_.choice([address.upper(), address.title(), unicodedata.normalize("NFD", address)])
        yield _spoilt_email(random_, address) if random_.random() < 0.35 else address


def _spoilt_email(random_: random.Random, address: str) -> str:
    place = random_.randint(0, len(address))
    spoilings: list[Callable[[], str]] = [
        lambda: f" {address}\u00a0",
        lambda: f"{address}{random_.choice('.,;>)/')}",
        lambda: f"mailto:{address}",
        lambda: f"Bob <{address}>",
        lambda: address.replace("@", random_.choice(["", " at ", "@@", " @", "@ ", "\uff20"])),
        lambda: address.replace(".", random_.choice(["..", ",", " ", ""])),
        lambda: address[:place] + random_.choice(' \t,;:()<>[]\\"@.-_é\u200b\u0301😀\u00ad') + address[place:],
        lambda: address[:place],
        lambda: address[place:],
        lambda: f"{address}, {address}",
        lambda: f"x{'y' * 250}{address}",
    ]
    return random_.choice(spoilings)()


WORDS = (
    "Atlantis Narnia London Paris Berlin Europe Asia Africa World Unknown none other test Earth 0 12 9999 ZZZ QQ"
    " Lilliput Texas California Ontario Somewhere Home Abroad international n.a. tbd ?? xx1 Utopia Lemuria"
    " Ruritania East West"
)


def countries(count: int = 8000) -> Iterator[str]:
    """Names and codes of ISO 3166-1 in many spellings, some misspelt, and words that are no country."""
    random_ = random.Random(SEED)
    known = sorted(pycountry.countries, key=lambda country: str(country.alpha_2))
    fields = ("alpha_2", "alpha_3", "numeric", "name", "common_name", "official_name")
    for _ in range(count):
        country = random_.choice(known)
        name = str(getattr(country, random_.choice(fields), country.name))
        if random_.random() < 0.08:
            name = random_.choice(WORDS.split()) + random_.choice(["", " ", str(random_.randint(0, 99))])
        yield _respelt(random_, name)


def _respelt(random_: random.Random, name: str) -> str:
    place = random_.randint(0, len(name) - 1)
    spellings: list[Callable[[], str]] = [
        lambda: name,
        lambda: name,
        name.upper,
        name.lower,
        lambda: f"  {name}\t",
        lambda: unicodedata.normalize("NFD", name),
        lambda: name[:place] + name[place + 1 :] + "q" if len(name) > 4 else name,
        lambda: f"{name} {name}",
    ]
    return random_.choice(spellings)()
