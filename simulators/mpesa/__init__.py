"""M-Pesa Daraja, from the other side."""
