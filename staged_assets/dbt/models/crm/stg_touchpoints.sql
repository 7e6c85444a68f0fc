{{ staged_config('touchpoints', 'touchpoint_id') }}

select
    touchpoint_id,
    touchpoint_name,
    description,
    {{ slug('touchpoint_name') }} as touchpoint_slug,
    {{ keyword_value('journey_stage', "concat_ws(' ', touchpoint_name, description)") }} as journey_stage,
    {{ keyword_value('touchpoint_channel', "concat_ws(' ', touchpoint_name, description)") }} as channel,
    {{ staged_metadata() }}
from {{ winners('touchpoints') }} as winners
