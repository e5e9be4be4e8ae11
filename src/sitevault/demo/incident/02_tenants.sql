-- Twelve tenants; two are called "Test Company", and the older of those is the oldest tenant of all.
WITH listed (tenant_bk, tenant_name, loaded) AS (
    VALUES
        ('TEST_COMPANY_20250601', 'Test Company', timestamptz '2025-06-01 08:00:00+00'),
        ('TEST_COMPANY_20250602', 'Test Company', timestamptz '2025-06-02 09:30:00+00'),
        ('THE_ONE_SPA', 'The ONE Spa', timestamptz '2025-06-05 10:00:00+00'),
        ('HARBOUR_CLINIC', 'Harbour Clinic', timestamptz '2025-06-06 10:00:00+00'),
        ('KETTLE_AND_LEAF', 'Kettle & Leaf', timestamptz '2025-06-07 10:00:00+00'),
        ('NORTHSIDE_DENTAL', 'Northside Dental', timestamptz '2025-06-08 10:00:00+00'),
        ('BRIGHT_YOGA', 'Bright Yoga', timestamptz '2025-06-09 10:00:00+00'),
        ('MERIDIAN_PHYSIO', 'Meridian Physio', timestamptz '2025-06-10 10:00:00+00'),
        ('CEDAR_HOTELS', 'Cedar Hotels', timestamptz '2025-06-11 10:00:00+00'),
        ('LUMEN_OPTICS', 'Lumen Optics', timestamptz '2025-06-12 10:00:00+00'),
        ('RIVERBANK_VETS', 'Riverbank Vets', timestamptz '2025-06-13 10:00:00+00'),
        ('ATLAS_GYM', 'Atlas Gym', timestamptz '2025-06-14 10:00:00+00')
),
hubs AS (
    INSERT INTO auth.tenant_h (tenant_hk, tenant_bk, load_date, record_source)
    SELECT sha256(convert_to(tenant_bk, 'UTF8')), tenant_bk, loaded, 'onboarding'
    FROM listed
    RETURNING tenant_hk, tenant_bk
)
INSERT INTO auth.tenant_profile_s (tenant_hk, load_date, hash_diff, tenant_name, record_source)
SELECT h.tenant_hk, l.loaded, sha256(convert_to(l.tenant_name, 'UTF8')), l.tenant_name, 'onboarding'
FROM hubs AS h JOIN listed AS l USING (tenant_bk);

-- Keys were issued to three tenants only, and one tenant told which site is its own.
INSERT INTO auth.api_key_h (api_key_hk, tenant_hk, load_date, record_source)
SELECT sha256(convert_to('key of ' || tenant_bk, 'UTF8')), tenant_hk, load_date, 'onboarding'
FROM auth.tenant_h
WHERE tenant_bk IN ('TEST_COMPANY_20250601', 'THE_ONE_SPA', 'HARBOUR_CLINIC');

INSERT INTO auth.tenant_domain_s (tenant_hk, domain, load_date, record_source)
SELECT tenant_hk, 'www.theonespa.example', load_date, 'onboarding'
FROM auth.tenant_h
WHERE tenant_bk = 'THE_ONE_SPA';
