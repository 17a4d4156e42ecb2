"""Keeps a peer on one core; to be imported before jax or numpy."""
import os

core = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {core})
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
