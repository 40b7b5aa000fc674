"""The rows of the table: each module has `measure(effort)`, which yields its figures."""
