-- The tables of the sample database Northwind, as its port to PostgreSQL has them. The rows are made up.
create table categories (
    category_id smallint primary key, category_name varchar(15) not null, description text, picture bytea
);
create table customers (
    customer_id varchar(5) primary key, company_name varchar(40) not null, contact_name varchar(30),
    contact_title varchar(30), address varchar(60), city varchar(15), region varchar(15), postal_code varchar(10),
    country varchar(15), phone varchar(24), fax varchar(24)
);
create table employees (
    employee_id smallint primary key, last_name varchar(20) not null, first_name varchar(10) not null,
    title varchar(30), birth_date date, hire_date date, city varchar(15), country varchar(15), notes text, photo bytea
);
create table shippers (shipper_id smallint primary key, company_name varchar(40) not null, phone varchar(24));
create table suppliers (
    supplier_id smallint primary key, company_name varchar(40) not null, contact_name varchar(30),
    contact_title varchar(30), address varchar(60), city varchar(15), region varchar(15), postal_code varchar(10),
    country varchar(15), phone varchar(24), fax varchar(24), homepage text
);
create table products (
    product_id smallint primary key, product_name varchar(40) not null, supplier_id smallint references suppliers,
    category_id smallint references categories, quantity_per_unit varchar(20), unit_price real,
    units_in_stock smallint, units_on_order smallint, reorder_level smallint, discontinued integer not null
);
create table orders (
    order_id smallint primary key, customer_id varchar(5) references customers,
    employee_id smallint references employees, order_date date, required_date date, shipped_date date,
    ship_via smallint references shippers, freight real, ship_name varchar(40), ship_address varchar(60),
    ship_city varchar(15), ship_region varchar(15), ship_postal_code varchar(10), ship_country varchar(15)
);
create table order_details (
    order_id smallint references orders, product_id smallint references products, unit_price real not null,
    quantity smallint not null, discount real not null, primary key (order_id, product_id)
);
create table region (region_id smallint primary key, region_description varchar(60) not null);
create table territories (
    territory_id varchar(20) primary key, territory_description varchar(60) not null,
    region_id smallint not null references region
);
create table employee_territories (
    employee_id smallint references employees, territory_id varchar(20) references territories,
    primary key (employee_id, territory_id)
);

insert into categories values
    (1, 'Hot drinks', 'Tea, coffee and cocoa', '\x89504e47'), (2, 'Sweets', 'Cakes and biscuits', null);
insert into customers values
    ('HARBR', 'Harbour Tea Room', 'Maud Ellery', 'Owner', '4 Quay Street', 'Bristol', null, 'BS1 4RD', 'UK', '(117) 555-0142', null),
    ('NORDL', 'Nordlicht Feinkost', 'Jens Thiel', 'Einkauf', 'Hafenweg 9', 'Kiel', null, '24103', 'Germany', '0431-0123456', '0431-0123457'),
    ('SOLYM', 'Sol y Mar', 'Inés Prado', 'Propietaria', 'C/ Mayor 11', 'Cádiz', null, '11001', 'Spain', null, null);
insert into employees values
    (1, 'Farrow', 'Iris', 'Sales Representative', '1968-12-08', '2012-05-01', 'Seattle', 'USA', 'Speaks French.', null),
    (2, 'Okafor', 'Ben', 'Sales Manager', '1972-02-19', '2012-08-14', 'London', 'UK', null, null);
insert into shippers values (1, 'Swift Post', '(503) 555-0100'), (2, 'Blue Van', null);
insert into suppliers values
    (1, 'Highland Leaves', 'Rhona Muir', 'Export Manager', '2 Glen Road', 'Inverness', null, 'IV1 1AA', 'UK', '(1463) 555-017', null, null),
    (2, 'Backhaus Lemke', 'Ute Lemke', 'Inhaberin', 'Ringstr. 3', 'Leipzig', null, '04103', 'Germany', '0341-555012', null, '#http://example.com#');
insert into products values
    (1, 'Smoked Black Tea', 1, 1, '10 boxes x 20 bags', 18, 39, 0, 10, 0),
    (2, 'Almond Biscuits', 2, 2, '24 - 250 g tins', 21.35, 17, 40, 25, 0),
    (3, 'Winter Cocoa', 1, 1, '12 - 500 g bags', 9.5, 0, 0, 0, 1);
insert into orders values
    (10248, 'HARBR', 1, '2016-07-04', '2016-08-01', '2016-07-16', 1, 32.38, 'Harbour Tea Room', '4 Quay Street', 'Bristol', null, 'BS1 4RD', 'UK'),
    (10249, 'NORDL', 2, '2016-07-05', '2016-08-16', '2016-07-10', 2, 11.61, 'Nordlicht Feinkost', 'Hafenweg 9', 'Kiel', null, '24103', 'Germany'),
    (10250, 'NORDL', 2, '2016-07-08', '2016-08-05', null, 2, 65.83, 'Nordlicht Feinkost', 'Hafenweg 9', 'Kiel', null, '24103', 'Germany');
insert into order_details values
    (10248, 1, 14.4, 12, 0), (10248, 2, 21.35, 10, 0.05), (10249, 2, 21.35, 9, 0), (10250, 3, 7.7, 10, 0.15),
    (10250, 1, 18, 35, 0.15);
insert into region values (1, 'Eastern'), (2, 'Western');
insert into territories values ('01581', 'Westboro', 1), ('98004', 'Bellevue', 2);
insert into employee_territories values (1, '98004'), (2, '01581');
