"""What a simulated rollout came to: one module a question. It may import the other formats."""
