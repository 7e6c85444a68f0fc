"""The system views that SQLAlchemy asks, over DuckDB's own."""

CATALOGUE = """
create schema sys;
create sequence sys.rowversions start 2001;
create macro db_name() as 'erp';
create macro sysutcdatetime() as (now() at time zone 'UTC');
create table sys.system_views as select 'dm_exec_sessions' as name;
create table sys.dm_exec_sessions as select 51 as session_id, 2 as transaction_isolation_level;
create table sys.extended_properties (class int, name text, value text, major_id bigint, minor_id bigint);
create table sys.default_constraints (object_id bigint, parent_column_id bigint, definition text);
create table sys.computed_columns (object_id bigint, column_id bigint, definition text, is_persisted boolean);
create table sys.identity_columns (
    object_id bigint, column_id bigint, is_identity boolean, seed_value bigint, increment_value bigint
);
create view sys.schemas as select schema_name as name, oid as schema_id from duckdb_schemas();
create view sys.objects as
    select table_name as name, table_oid as object_id, schema_oid as schema_id, 'U' as type from duckdb_tables()
    union all
    select view_name, view_oid, schema_oid, 'V' from duckdb_views() where not internal;
create table sys.types as select name, id as user_type_id, id as system_type_id from (values
    ('tinyint', 48), ('smallint', 52), ('int', 56), ('bigint', 127), ('bit', 104), ('numeric', 108), ('float', 62),
    ('money', 60), ('char', 175), ('varchar', 167), ('nvarchar', 231), ('date', 40), ('time', 41), ('datetime', 61),
    ('smalldatetime', 58), ('datetime2', 42), ('datetimeoffset', 43), ('varbinary', 165), ('uniqueidentifier', 36),
    ('timestamp', 189)) known(name, id);
create view sys.columns as
    select c.object_id, c.column_id, c.name, c.is_nullable, t.user_type_id, null as default_object_id,
        case when c.declared like '%(max)' then -1 when t.name = 'nvarchar' then 2 * c.size else c.size end
            as max_length,
        c.size as precision, try_cast(regexp_extract(c.declared, ', (\\d+)', 1) as int) as scale,
        case when t.name like '%char' then 'SQL_Latin1_General_CP1_CI_AS' end as collation_name
    from (
        select table_oid as object_id, column_index as column_id, column_name as name, is_nullable, declared,
            try_cast(regexp_extract(declared, '\\((\\d+)', 1) as int) as size
        from (select *, coalesce(comment, 'nvarchar(4000)') as declared from duckdb_columns() where not internal)
    ) c
    join sys.types t on t.name = replace(regexp_extract(c.declared, '^\\w+'), 'rowversion', 'timestamp');
create view sys.key_constraints as
    select table_oid as parent_object_id, constraint_index as unique_index_id, 'PK' as type,
        'PK_' || table_name as name, constraint_column_indexes as places
    from duckdb_constraints() where constraint_type = 'PRIMARY KEY';
create view sys.indexes as
    select parent_object_id as object_id, unique_index_id as index_id, 1 as type from sys.key_constraints;
create view sys.index_columns as
    select parent_object_id as object_id, unique_index_id as index_id, unnest(places) + 1 as column_id,
        generate_subscripts(places, 1) as key_ordinal
    from sys.key_constraints;
"""
