import java.io.*;
import java.security.cert.*;
import java.util.*;

// Path validates certification paths with the JDK's PKIX validator, revocation
// checked by lists for every certificate of the path. Several CAs have one name,
// among which the JDK's own builder loses its way; so the path is put together
// here, by key identifiers, and validated there. Lists of several CAs of one name
// make the JDK look for their issuers without end, until its stack overflows; so
// links between generations are checked without lists ("-") here.
// Arguments: checks separated by "--", each: root.pem leaf.pem certs.pem crls.pem|- policy|-
public class Path {
    static final CertificateFactory F;
    static { try { F = CertificateFactory.getInstance("X.509"); } catch (CertificateException e) { throw new RuntimeException(e); } }

    public static void main(String[] args) throws Exception {
        List<String> check = new ArrayList<>();
        for (String a : args) {
            if (a.equals("--")) { run(check); check = new ArrayList<>(); } else check.add(a);
        }
        run(check);
    }

    static List<X509Certificate> certs(String f) throws Exception {
        List<X509Certificate> out = new ArrayList<>();
        try (InputStream in = new FileInputStream(f)) {
            for (var c : F.generateCertificates(in)) out.add((X509Certificate) c);
        }
        return out;
    }

    // The key identifier is the last 20 bytes of both extensions here.
    static String id(X509Certificate c, String oid) {
        byte[] v = c.getExtensionValue(oid);
        return v == null ? "" : Arrays.toString(Arrays.copyOfRange(v, v.length - 20, v.length));
    }

    static boolean climb(X509Certificate c, X509Certificate root, List<X509Certificate> between, LinkedList<X509Certificate> path) {
        path.add(c);
        String by = id(c, "2.5.29.35");
        if (by.equals(id(root, "2.5.29.14"))) return true;
        for (X509Certificate next : between) {
            if (!path.contains(next) && id(next, "2.5.29.14").equals(by) && climb(next, root, between, path)) return true;
        }
        path.removeLast();
        return false;
    }

    static void run(List<String> a) throws Exception {
        X509Certificate root = certs(a.get(0)).get(0);
        LinkedList<X509Certificate> path = new LinkedList<>();
        if (!climb(certs(a.get(1)).get(0), root, certs(a.get(2)), path)) {
            System.out.println("NOPATH");
            return;
        }
        PKIXParameters p = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        p.setRevocationEnabled(!a.get(3).equals("-"));
        if (p.isRevocationEnabled()) {
            try (InputStream in = new FileInputStream(a.get(3))) {
                p.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(F.generateCRLs(in))));
            }
        }
        if (!a.get(4).equals("-")) {
            p.setInitialPolicies(Set.of(a.get(4)));
            p.setExplicitPolicyRequired(true);
        }
        try {
            CertPathValidator.getInstance("PKIX").validate(F.generateCertPath(path), p);
            System.out.println("VALID " + path.size());
        } catch (CertPathValidatorException e) {
            System.out.println("INVALID " + e.getReason() + " at " + e.getIndex() + ": " + e.getMessage());
        }
    }
}
