{#-
  What the parse macros share: how each source system writes its values (the var `sources`), and one way of naming
  a value that is used more than once.
-#}

{#- One expression for each way of writing among the systems: `branch(x, value)` where the system's `attribute` is
    `value`. A system that the var does not name writes in the default way. -#}
{%- macro by_system(x, system, attribute, default, branch) -%}
    {%- set groups = {} -%}
    {%- for name, options in var('sources').items() -%}
        {%- set value = options.get(attribute) or default -%}
        {%- if value != default -%}
            {%- do groups.setdefault(tojson(value), []).append(sql_text(name)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not groups -%}
        {{ branch(x, default) }}
    {%- else -%}
        case
        {%- for value, names in groups.items() %}
            when {{ system }} in ({{ names | join(', ') }}) then {{ branch(x, fromjson(value)) }}
        {%- endfor %}
            else {{ branch(x, default) }}
        end
    {%- endif -%}
{%- endmacro -%}

{#- A SQL text literal. -#}
{%- macro sql_text(value) -%}
    '{{ (value | string).replace("'", "''") }}'
{%- endmacro -%}

{#- `body` with `name` standing for `value`, which is computed once. -#}
{%- macro bind(name, value, body) -%}
    {{ adapter.dispatch('bind', 'staged_assets')(name, value, body) }}
{%- endmacro -%}

{%- macro duckdb__bind(name, value, body) -%}
    list_transform([{{ value }}], lambda {{ name }}: {{ body }})[1]
{%- endmacro -%}
