-- The job is on, and more tenants than the incident's three have keys and sites of their own.
INSERT INTO util.job (name) VALUES ('process_pending_events');

INSERT INTO auth.api_key_h (api_key_hk, tenant_hk, load_date, record_source)
SELECT sha256(convert_to('key of ' || tenant_bk, 'UTF8')), tenant_hk, load_date, 'onboarding'
FROM auth.tenant_h
WHERE tenant_bk IN ('KETTLE_AND_LEAF', 'CEDAR_HOTELS', 'ATLAS_GYM');

INSERT INTO auth.tenant_domain_s (tenant_hk, domain, load_date, record_source)
SELECT t.tenant_hk, d.domain, t.load_date, 'onboarding'
FROM auth.tenant_h AS t
INNER JOIN (
    VALUES
    ('HARBOUR_CLINIC', 'harbour-clinic.example'),
    ('KETTLE_AND_LEAF', 'shop.kettleleaf.example'),
    ('CEDAR_HOTELS', 'cedar.example'),
    ('ATLAS_GYM', 'atlas.example')
) AS d (tenant_bk, domain) ON t.tenant_bk = d.tenant_bk;
