import os
import subprocess
import sys
import textwrap

SCRIPT = """
    import threading
    import scipy.linalg
    from threadpoolctl import ThreadpoolController
    from skreg.execution.blas import one_blas_thread

    def threads_of_blas():
        return [library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()]

    before = threads_of_blas()
    with one_blas_thread():
        with one_blas_thread():
            pass
        assert set(threads_of_blas()) == {1}, "nested"
    assert threads_of_blas() == before, "after nested"

    first_is_in, second_is_in = threading.Event(), threading.Event()

    def first():
        with one_blas_thread():
            first_is_in.set()
            second_is_in.wait(10)

    def second():
        first_is_in.wait(10)
        with one_blas_thread():
            second_is_in.set()
            threads[0].join(10)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert threads_of_blas() == before, "after the last has left"
"""


def test_blas_has_one_thread_inside_and_its_own_number_again_after_all_python_threads_have_left():
    # In a process of its own: the number that BLAS starts with is read from the environment once.
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    subprocess.run([sys.executable, "-c", textwrap.dedent(SCRIPT)], check=True, env=environment)
