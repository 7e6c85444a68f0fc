{{ staged_config('interactions', 'interaction_id') }}

select
    interaction_id,
    consumer_id,
    touchpoint_id,
    interaction_date,
    interaction_type,
    resolution_status,
    comments,
    interaction_at,
    channel,
    resolution_status in ('resolved', 'closed') as is_resolved,
    {{ staged_metadata() }}
from {{ winners('interactions') }} as winners
