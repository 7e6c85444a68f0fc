"""What must hold of the datasets that the CRM feeds."""

import datetime

from staged_assets.validation.staged_table import (
    country,
    email_domain,
    not_in_future,
    sources,
    staged_table,
)
from staged_assets.validation.vocabulary import (
    BOOLEAN,
    DATE,
    INTEGER,
    TEXT,
    TEXT_MAP,
    TEXTS,
    TIMESTAMP,
    both_or_neither,
    days_between,
    email,
    missing_at_most,
    not_constant,
    not_negative,
    one_of,
    optional,
    phone,
    required,
    row,
    same,
    slug,
    tidy,
)

SEGMENT_TYPES = ("behavioural", "demographic", "geographic", "value", "lifecycle", "other")
RESOLUTION_STATUSES = ("open", "pending", "resolved", "escalated", "closed", "unknown")
CHANNELS = ("phone", "email", "chat", "store", "web", "app", "social", "post", "other")
TOUCHPOINT_CHANNELS = (*CHANNELS, "broadcast", "out_of_home")
ACTIVITY_TYPES = ("earn", "redeem", "adjust", "expire", "bonus", "other")
CHANNEL_GROUPS = (
    "paid_search", "organic_search", "display", "video", "paid_social", "organic_social", "email", "affiliate",
    "direct", "referral", "print", "broadcast", "out_of_home", "other",
)  # fmt: skip
JOURNEY_STAGES = (
    "awareness", "consideration", "purchase", "delivery", "service", "retention", "advocacy", "other",
)  # fmt: skip
EARLIEST_BIRTH_DATE = datetime.date(1900, 1, 1)

AUDIENCE_SEGMENTS = staged_table(
    "audience_segments",
    {
        "audience_segment_id": required(INTEGER),
        "segment_name": required(TEXT, tidy()),
        "description": optional(TEXT, tidy()),
        "segment_slug": required(TEXT, slug()),
        "segment_type": required(TEXT, one_of(SEGMENT_TYPES)),
    },
    [missing_at_most("description", 0.50)],
)

CONSUMERS = staged_table(
    "consumers",
    {
        "consumer_id": required(INTEGER),
        "consumer_name": optional(TEXT, tidy()),
        "consumer_email": optional(TEXT, email()),
        "consumer_city": optional(TEXT, tidy()),
        "phone_number": optional(TEXT, phone()),
        "date_of_birth": optional(DATE),
        "address": optional(TEXT, tidy()),
        "loyalty_points": optional(INTEGER, not_negative()),
        **country(),
        "email_domain": optional(TEXT),
        "source_systems": required(TEXTS),
        "field_sources": required(TEXT_MAP),
    },
    [
        both_or_neither("country_code", "country"),
        email_domain("consumer_email"),
        row(
            "date_of_birth__in_range",
            "date_of_birth is from 1900 to the day of the refresh",
            lambda t: t.date_of_birth.between(EARLIEST_BIRTH_DATE, t["_staged_at"].date()),
            where=("date_of_birth", "_staged_at"),
        ),
        *sources(),
        row(
            "field_sources__known_systems",
            "field_sources names systems that are in source_systems",
            lambda t: t.field_sources.values().filter(lambda system: ~t.source_systems.contains(system)).length() == 0,
            where=("field_sources", "source_systems"),
        ),
        missing_at_most("consumer_name", 0.25),
        missing_at_most("consumer_email", 0.50),
        missing_at_most("country_code", 0.50),
        not_constant("consumer_email"),
    ],
)

INTERACTIONS = staged_table(
    "interactions",
    {
        "interaction_id": required(INTEGER),
        "consumer_id": required(INTEGER),
        "touchpoint_id": required(INTEGER),
        "interaction_date": required(DATE),
        "interaction_type": optional(TEXT, tidy()),
        "resolution_status": optional(TEXT, one_of(RESOLUTION_STATUSES)),
        "comments": optional(TEXT, tidy()),
        "interaction_at": optional(TIMESTAMP),
        "channel": optional(TEXT, one_of(CHANNELS)),
        "is_resolved": optional(BOOLEAN),
    },
    [
        row(
            "interaction_at__on_interaction_date",
            "interaction_at (UTC) is at most a day from interaction_date (as written)",
            lambda t: days_between(t.interaction_date, t.interaction_at.date()).between(-1, 1),
            where=("interaction_date", "interaction_at"),
        ),
        both_or_neither("channel", "interaction_type"),
        same(
            "is_resolved",
            "is_resolved is whether resolution_status is resolved or closed",
            lambda t: t.resolution_status.isin(("resolved", "closed")),
        ),
        not_in_future("interaction_date"),
        missing_at_most("interaction_type", 0.25),
        missing_at_most("resolution_status", 0.25),
        not_constant("interaction_type"),
    ],
)

LOYALTY_ACTIVITIES = staged_table(
    "loyalty_activities",
    {
        "loyalty_activity_id": required(INTEGER),
        "consumer_id": required(INTEGER),
        "activity_date": required(DATE),
        "activity_type": optional(TEXT, one_of(ACTIVITY_TYPES)),
        "points_earned": optional(INTEGER, not_negative()),
        "points_redeemed": optional(INTEGER, not_negative()),
        "balance_points": optional(INTEGER, not_negative(warn=True)),
        "net_points": required(INTEGER),
    },
    [
        same(
            "net_points",
            "net_points is points_earned less points_redeemed",
            lambda t: t.points_earned.fill_null(0) - t.points_redeemed.fill_null(0),
            where=("net_points",),
        ),
        not_in_future("activity_date"),
        missing_at_most("activity_type", 0.25),
        not_constant("activity_type"),
    ],
)

MEDIA_CHANNELS = staged_table(
    "media_channels",
    {
        "media_channel_id": required(INTEGER),
        "media_channel_name": optional(TEXT, tidy()),
        "description": optional(TEXT, tidy()),
        "channel_slug": optional(TEXT, slug()),
        "channel_group": optional(TEXT, one_of(CHANNEL_GROUPS)),
        "is_paid": optional(BOOLEAN),
        "is_digital": optional(BOOLEAN),
    },
    [
        both_or_neither("channel_slug", "media_channel_name"),
        row(
            "is_paid__known_of_group",
            "is_paid is missing exactly where channel_group is other",
            lambda t: t.is_paid.isnull() == (t.channel_group == "other"),
            where=("channel_group",),
        ),
        row(
            "is_digital__known_of_group",
            "is_digital is missing exactly where channel_group is other",
            lambda t: t.is_digital.isnull() == (t.channel_group == "other"),
            where=("channel_group",),
        ),
        missing_at_most("media_channel_name", 0.25),
    ],
)

TOUCHPOINTS = staged_table(
    "touchpoints",
    {
        "touchpoint_id": required(INTEGER),
        "touchpoint_name": optional(TEXT, tidy()),
        "description": optional(TEXT, tidy()),
        "touchpoint_slug": optional(TEXT, slug()),
        "journey_stage": optional(TEXT, one_of(JOURNEY_STAGES)),
        "channel": optional(TEXT, one_of(TOUCHPOINT_CHANNELS)),
    },
    [
        both_or_neither("touchpoint_slug", "touchpoint_name"),
        both_or_neither("journey_stage", "channel"),
        missing_at_most("touchpoint_name", 0.25),
    ],
)
