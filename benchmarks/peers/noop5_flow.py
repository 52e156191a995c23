"""Five steps that do nothing, for comparison."""

from metaflow import FlowSpec, step


class Noop5(FlowSpec):
    """start, a, b, c, end: each a process of its own, as Metaflow runs every step."""

    @step
    def start(self):
        """Do nothing."""
        self.next(self.a)

    @step
    def a(self):
        """Do nothing."""
        self.next(self.b)

    @step
    def b(self):
        """Do nothing."""
        self.next(self.c)

    @step
    def c(self):
        """Do nothing."""
        self.next(self.end)

    @step
    def end(self):
        """Do nothing."""


if __name__ == "__main__":
    Noop5()
