"""What one cycle does, without touching a file: plan it, evaluate each case, settle, account.

Pure: it may import `fixture`, `contract` and `policy`.
"""
