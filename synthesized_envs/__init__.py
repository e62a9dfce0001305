"""The bundles that come with envscaler_gym. They are data: nothing here is imported."""
