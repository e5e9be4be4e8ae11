-- Staging and the vault, with less to write per event.
SELECT;
