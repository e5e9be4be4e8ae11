-- What replay needs.
SELECT;
