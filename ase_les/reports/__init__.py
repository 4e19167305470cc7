"""Tables, figures and summary files of results."""
