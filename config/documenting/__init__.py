"""What the OpenAPI document says beyond the serializers' shapes; new endpoints find their place here by themselves.

`operations` gives each endpoint its words, `problems` the errors that it can answer with, `examples` a request and
an answer made of `samples`, `events` the webhooks, `document` the rest of the page; `collection` makes of it all a
collection of requests to send.
"""
