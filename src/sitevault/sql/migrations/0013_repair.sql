-- What repair needs.
SELECT;
