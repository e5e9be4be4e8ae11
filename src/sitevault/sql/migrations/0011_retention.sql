-- What retention needs.
SELECT;
