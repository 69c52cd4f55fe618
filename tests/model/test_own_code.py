"""Copies of inherited methods do what the inherited ones do, and share no code with them."""

from __future__ import annotations

from proxyfw.model.own_code import own_code


class Parent:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 1

    def more(self, by: int = 1, *, times: int = 1) -> int:
        """Said once."""
        return self.value + by * times

    @property
    def double(self) -> int:
        return 2 * self.value

    def replaced(self) -> str:
        return "parent"


class Middle(Parent):
    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.value += 1


@own_code
class Child(Middle):
    __slots__ = ()

    def replaced(self) -> str:
        return "child of " + super().replaced()


def test_they_do_the_same() -> None:
    child = Child()
    assert (child.more(), child.more(2, times=3), child.double) == (3, 8, 4)
    assert child.replaced() == "child of parent"
    assert Child.more.__doc__ == "Said once."


def test_their_code_is_their_own() -> None:
    assert Child.more.__code__ is not Parent.more.__code__
    assert Child.__init__.__code__ is not Middle.__init__.__code__
    assert Middle.more is Parent.more
