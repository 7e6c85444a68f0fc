{#- The columns together identify a row; NULL is a value like any other. -#}
{% test unique_grain(model, columns) %}
select
    {{ columns | join(',\n    ') }},
    count(*) as occurrences
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
