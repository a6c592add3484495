"""Xendit, simulated: QR codes, invoices, refunds, transactions, with their webhooks."""
