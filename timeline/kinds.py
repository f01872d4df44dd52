"""The kinds of flows, as words and as the numbers that tables hold."""

KINDS = ("entity", "workflow", "request")
KIND_NUMBERS = {"entity": 1, "workflow": 2}
KIND_OF = {1: "entity", 2: "workflow"}
