"""The commands; `app` names the function of each, which is imported when it is called."""
