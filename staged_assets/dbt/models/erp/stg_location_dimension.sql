{{ staged_config('location_dimension', 'location_id') }}

select
    winners.location_id,
    winners.city,
    winners.country,
    winners.country_code,
    countries.country_code_alpha3,
    countries.continent,
    countries.region,
    cities.latitude,
    cities.longitude,
    cities.timezone,
    countries.currency_code,
    case
        when cities.lookup_key is null then 'none'
        else winners.country_match
    end as geo_match,
    {{ staged_metadata() }}
from {{ winners('location_dimension') }} as winners
left join {{ ref('countries') }} as countries on countries.country_code = winners.country_code
left join {{ ref('cities') }} as cities
    on cities.country_code = winners.country_code
    and cities.lookup_key = {{ lookup_key('winners.city') }}
