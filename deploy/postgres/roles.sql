-- Two roles for one database: `gatepost_owner` changes the schema, `gatepost` serves and cannot.
--
--     psql -v ON_ERROR_STOP=1 -v owner_password=... -v service_password=... -f roles.sql    (as a superuser)
--
-- Then `gatepost db upgrade` gets the owner's URL, `gatepost serve` the other.

CREATE ROLE gatepost_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE gatepost LOGIN PASSWORD :'service_password';
CREATE DATABASE gatepost OWNER gatepost_owner;
REVOKE ALL ON DATABASE gatepost FROM PUBLIC;
GRANT CONNECT ON DATABASE gatepost TO gatepost;

\connect gatepost
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO gatepost_owner;
GRANT USAGE ON SCHEMA public TO gatepost;
ALTER DEFAULT PRIVILEGES FOR ROLE gatepost_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gatepost;
ALTER DEFAULT PRIVILEGES FOR ROLE gatepost_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO gatepost;
