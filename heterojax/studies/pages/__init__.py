"""What the reports of all studies say of their data, network and clusters."""
