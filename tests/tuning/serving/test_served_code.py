"""The code file of a logged model."""

from tuning.serving.served_code import OWN, join_code


def test_joined_code_compiles_and_imports_nothing_of_this_project() -> None:
    code = join_code()
    compile(code, "served_model.py", "exec")
    assert not [
        line for line in code.splitlines() if line.startswith(tuple(f"from {one}" for one in OWN))
    ]
    assert code.endswith("set_model(LandslideModel())\n")
