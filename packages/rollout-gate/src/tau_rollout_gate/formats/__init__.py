"""How an answer is printed: one module a form. Pure: it may import `rollout` and what is below."""
