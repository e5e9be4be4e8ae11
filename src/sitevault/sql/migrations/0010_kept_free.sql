-- Changes nothing. Numbers have no gap, and what this one was given to is not taken yet.
SELECT;
