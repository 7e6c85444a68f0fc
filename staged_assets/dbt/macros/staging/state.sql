{#-
What this refresh is to do with a dataset: {mode, after, upto, rules, published}.

    full         every raw row up to `upto`
    incremental  the raw rows after `after` up to `upto`, and with them every earlier row of the keys they touch, so that
                 what is published of a key never depends on how its rows were cut into batches

`published`: whether dispositions of earlier refreshes are there. What is compiled has SQL parameters for `after` and `upto`
(var `refresh`). Without it, as when a person calls dbt by hand, every raw row is taken.
-#}
{% macro refresh_state(dataset) %}
    {% set given = var('refresh').get(dataset, {}) %}
    {{ return({
        'mode': given.get('mode', 'full'),
        'after': given.get('after', 0),
        'upto': given.get('upto', none),
        'rules': given.get('rules', 'unversioned'),
        'published': given.get('published', none),
    }) }}
{% endmacro %}

{% macro is_full(dataset) %}
    {{ return(refresh_state(dataset).mode == 'full') }}
{% endmacro %}

{#- The published record of where every raw row went. Not a ref: base reads what the last refresh left of it. -#}
{% macro published_dispositions(dataset) %}
    {{ return(api.Relation.create(database=target.database, schema='staged', identifier='dispositions_' ~ dataset)) }}
{% endmacro %}

{#- Where a model's next content lies between write and publish. -#}
{% macro candidate_of(relation) %}
    {{ return(relation.incorporate(path={'identifier': relation.identifier ~ '__candidate'})) }}
{% endmacro %}

{#- What a model of the same dataset reads of an audited model: the candidate, which is not yet published. -#}
{% macro pending(relation) %}
    {{ return(candidate_of(relation) if var('compiled') else relation) }}
{% endmacro %}

{#- The time of this refresh, UTC: the invocation's, or a parameter of what is compiled now and executed later. -#}
{% macro refreshed_at() -%}
    {%- if var('compiled') -%} cast($at as timestamp)
    {%- else -%} timestamp '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' {%- endif -%}
{%- endmacro %}

{#- The day of this refresh, and its year: what lies after them lies in the future. -#}
{% macro refreshed_on() -%}
    cast({{ refreshed_at() }} as date)
{%- endmacro %}

{% macro this_year() -%}
    extract(year from {{ refreshed_at() }})
{%- endmacro %}

{#- No consumer was born before it. -#}
{% macro earliest_birth_date() -%}
    date '1900-01-01'
{%- endmacro %}

{#-
A companion is made from all of a staged table, or, in an incremental refresh of it, only where that changes something. Its
model's config says: `touched_by`, the dataset; `touched`, columns of its staged rows, old and new, that the refresh replaced;
`replaces`, which of the companion's rows they are about, over {{ touched_rows(...) }}. The query is then filtered by `replaces`; what it need
not read it leaves out itself, by `touched_only`.
-#}
{#-
Where it is sums alone, an incremental refresh adds what has come and takes away what has gone, so that it reads none of the
rows that were there before. The config then says, too: `sums`, the columns that hold the sums (one that has overflowed is
NULL: then all is summed anew); `sums_up`, the columns of the staged rows that are read.

    rows_to_sum(dataset)    all staged rows; or those that came, and those that have gone (`_has_gone`)
    summed(x)               the sum of x over them, where `condition` holds; 0 of none
    summed_before(column)   what the companion holds, over join_summed_before(key, relation)
-#}
{% macro rows_to_sum(dataset) -%}
    {%- set staged = ref('stg_' ~ dataset) -%}
    {%- if var('touched_only') -%}
        {%- set columns = model.config.sums_up | join(', ') -%}
        (
            select {{ columns }}, false as _has_gone from {{ candidate_of(staged) }}
            union all
            select {{ columns }}, true as _has_gone from work.replaced_{{ dataset }}
        )
    {%- else -%}
        {{ staged }}
    {%- endif -%}
{%- endmacro %}

{% macro summed(x, condition='true') -%}
    {%- if var('touched_only') -%}
        coalesce(sum({{ x }}) filter (where not _has_gone and {{ condition }}), 0)
            - coalesce(sum({{ x }}) filter (where _has_gone and {{ condition }}), 0)
    {%- else -%}
        coalesce(sum({{ x }}) filter (where {{ condition }}), 0)
    {%- endif -%}
{%- endmacro %}

{% macro summed_before(column) -%}
    {{ 'before.' ~ column if var('touched_only') else '0' }}
{%- endmacro %}

{% macro join_summed_before(key, relation) -%}
    {% if var('touched_only') %}left join {{ this }} as before on before.{{ key }} = {{ relation }}.{{ key }}{% endif %}
{%- endmacro %}

{% macro touched_rows(companion) -%} work.touched_{{ companion }} {%- endmacro %}

{% macro touched_only(condition) -%}
    {{ condition if var('touched_only') else 'true' }}
{%- endmacro %}
