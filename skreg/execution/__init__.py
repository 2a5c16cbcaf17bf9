"""How work is done, whatever it is: on one BLAS thread, in other processes, without trace of a failure."""
