-- A small shop. The role that the gateway logs in as owns it and is nothing more than that.
create table customers (
    id integer primary key,
    name text not null,
    email text not null,
    card text not null,
    note text
);
create table orders (
    id integer primary key,
    customer_id integer not null references customers (id),
    total numeric(10, 2) not null,
    status text not null
);
insert into customers values
    (1, 'Ada Lovelace', 'ada@example.com', '4111111111111111', 'prefers letters'),
    (2, 'Grace Hopper', 'grace@example.org', '5555555555554444', null),
    (3, 'Alan Turing', 'alan@example.net', '378282246310005', 'calls at night');
insert into orders
    select n, 1 + n % 3, 10 + n, case when n % 4 = 0 then 'cancelled' else 'paid' end from generate_series(1, 24) n;
