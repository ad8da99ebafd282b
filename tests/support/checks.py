"""A suite whose tests are functions check_…, each of which yields what is wrong; its docstring says what ought to hold."""


def run_checks(namespace, *arguments, show=str):
    """Runs them in their order, tells of breaches and counts. The exit status."""
    passed = failed = 0
    for name, check in list(namespace.items()):
        if not name.startswith("check_"):
            continue
        breaches = list(check(*arguments))
        for breach in breaches:
            print(show(breach))
        if breaches:
            print(f"broken: {check.__doc__}")
        passed += not breaches
        failed += bool(breaches)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
