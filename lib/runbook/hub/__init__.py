"""A hub seen from outside: using it, checking its configuration, naming what is wrong with it."""
