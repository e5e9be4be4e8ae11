-- The site's own scheduler looks here before each run: a pause is a state, not a deletion.
CREATE TABLE util.job (
    name varchar(100) PRIMARY KEY,
    active boolean NOT NULL DEFAULT true
);
