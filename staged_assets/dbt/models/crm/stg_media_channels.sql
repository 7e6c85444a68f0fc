{{ staged_config('media_channels', 'media_channel_id') }}

with grouped as (
    select
        *,
        {{ keyword_value('channel_group', "concat_ws(' ', media_channel_name, description)") }} as channel_group
    from {{ winners('media_channels') }}
)

select
    winners.media_channel_id,
    winners.media_channel_name,
    winners.description,
    {{ slug('winners.media_channel_name') }} as channel_slug,
    winners.channel_group,
    channel_groups.is_paid,
    channel_groups.is_digital,
    {{ staged_metadata() }}
from grouped as winners
left join {{ ref('channel_groups') }} as channel_groups on channel_groups.channel_group = winners.channel_group
