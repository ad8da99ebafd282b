"""What a suite without a framework counts, and how it says so."""


class Results:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, problem=""):
        """Passed unless there is a problem, which is told."""
        self.passed += not problem
        self.failed += bool(problem)
        if problem:
            print(f"FAILED {name}: {problem}")
