{{ staged_config('audience_segments', 'audience_segment_id') }}

select
    audience_segment_id,
    segment_name,
    description,
    {{ slug('segment_name') }} as segment_slug,
    {{ keyword_value('segment_type', "concat_ws(' ', segment_name, description)") }} as segment_type,
    {{ staged_metadata() }}
from {{ winners('audience_segments') }} as winners
