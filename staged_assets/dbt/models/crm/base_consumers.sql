{{ base('consumers', [
    required('consumer_id', 'integer'),
    optional('consumer_name', 'name'),
    optional('consumer_email', 'email'),
    optional('consumer_city', 'name'),
    optional('phone_number', 'phone'),
    optional('date_of_birth', 'date', check='date_of_birth between ' ~ earliest_birth_date() ~ ' and ' ~ refreshed_on()),
    optional('address', 'text'),
    optional('loyalty_points', 'integer', check='loyalty_points >= 0'),
    optional('country', 'country'),
]) }}
